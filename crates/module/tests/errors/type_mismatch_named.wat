(module (func $add (param i32 i64) (result i32) local.get 0 local.get 1 i32.add))
;; error: Invalid: type mismatch: expected i32, found i64 (at offset 0x1e, in function `add`)
