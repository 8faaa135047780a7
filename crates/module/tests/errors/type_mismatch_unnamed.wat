(module (import "env" "log" (func)) (func) (func (result i32)))
;; error: Invalid: type mismatch: expected i32 but nothing on stack (at offset 0x2c, in function #2)
