(module
(assert_return
