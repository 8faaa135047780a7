;; What MoonBit's `println` imports, on WASI: UTF-16 code units in, UTF-8 lines out.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  ;; 0: an iovec, 8: how much was written, 16: the line so far.
  (memory (export "memory") 1)
  (global $end (mut i32) (i32.const 16))
  (global $high (mut i32) (i32.const 0))

  (func $put (param $byte i32)
    (i32.store8 (global.get $end) (local.get $byte))
    (global.set $end (i32.add (global.get $end) (i32.const 1)))
    (if (i32.or
          (i32.eq (local.get $byte) (i32.const 10))
          (i32.eq (global.get $end) (i32.const 65536)))
      (then
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.sub (global.get $end) (i32.const 16)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (global.set $end (i32.const 16)))))

  ;; A byte that continues a character: six bits of it, from `$shift` on.
  (func $continue (param $char i32) (param $shift i32)
    (call $put
      (i32.or (i32.const 0x80)
        (i32.and (i32.shr_u (local.get $char) (local.get $shift)) (i32.const 0x3f)))))

  (func (export "print_char") (param $char i32)
    (if (i32.eq (i32.and (local.get $char) (i32.const 0xfc00)) (i32.const 0xd800))
      (then
        (global.set $high (local.get $char))
        (return)))
    (if (i32.eq (i32.and (local.get $char) (i32.const 0xfc00)) (i32.const 0xdc00))
      (then
        (local.set $char
          (i32.add (i32.const 0x10000)
            (i32.or
              (i32.shl (i32.and (global.get $high) (i32.const 0x3ff)) (i32.const 10))
              (i32.and (local.get $char) (i32.const 0x3ff)))))))
    (if (i32.lt_u (local.get $char) (i32.const 0x80))
      (then
        (call $put (local.get $char))
        (return)))
    (if (i32.lt_u (local.get $char) (i32.const 0x800))
      (then
        (call $put (i32.or (i32.const 0xc0) (i32.shr_u (local.get $char) (i32.const 6)))))
      (else
        (if (i32.lt_u (local.get $char) (i32.const 0x10000))
          (then
            (call $put (i32.or (i32.const 0xe0) (i32.shr_u (local.get $char) (i32.const 12)))))
          (else
            (call $put (i32.or (i32.const 0xf0) (i32.shr_u (local.get $char) (i32.const 18))))
            (call $continue (local.get $char) (i32.const 12))))
        (call $continue (local.get $char) (i32.const 6))))
    (call $continue (local.get $char) (i32.const 0))))
