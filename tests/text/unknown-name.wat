(module
  (func $start
    (call $strat)))
