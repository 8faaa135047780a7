i32.const 1
