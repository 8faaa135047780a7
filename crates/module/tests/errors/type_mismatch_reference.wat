(module (type $f (func)) (func $call (param funcref) local.get 0 call_ref $f))
;; error: Invalid: type mismatch: expected (ref null $type), found funcref (at offset 0x1d, in function `call`)
