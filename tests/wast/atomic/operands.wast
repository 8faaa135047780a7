;; Atomic instructions among others: operands that are locals, constants and results, overwritten before
;; they are used, and results that are used at once, later, or never.

(module
  (memory 1 1 shared)
  (func (export "address-overwritten") (param i32) (result i32)
    local.get 0
    (local.set 0 (i32.const 64))
    (i32.atomic.rmw.add (i32.const 5))
    drop
    (i32.atomic.load (local.get 0)))
  (func (export "value-overwritten") (param i32) (result i32)
    i32.const 8
    local.get 0
    (local.set 0 (i32.const 77))
    i32.atomic.rmw.xchg
    local.get 0
    i32.add)
  (func (export "chained") (param i32) (result i32)
    (i32.atomic.store (i32.const 16) (local.get 0))
    (i32.atomic.rmw.add
      (i32.add (i32.atomic.load (i32.const 16)) (i32.const 4))
      (i32.atomic.rmw.sub (i32.const 16) (i32.const 1))))
  (func (export "result-kept") (param i32) (result i32)
    (local i32)
    (local.set 1 (i32.atomic.rmw.add (i32.const 24) (local.get 0)))
    (i32.sub (i32.atomic.load (i32.const 24)) (local.get 1)))
  (func (export "floats-around") (result f64)
    (f64.add
      (f64.mul (f64.const 1.5) (f64.const 2))
      (f64.convert_i32_u (i32.atomic.rmw8.or_u (i32.const 32) (i32.const 0x80)))))
  (func (export "branch-on-cmpxchg") (param i32) (result i32)
    (i32.atomic.store (i32.const 40) (local.get 0))
    (if (result i32) (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 40) (i32.const 0) (i32.const 9)))
      (then (i32.atomic.load (i32.const 40)))
      (else (i32.const -1))))
  (func (export "fence") (param i32) (result i32)
    local.get 0
    atomic.fence
    (local.set 0 (i32.const 3))
    local.get 0
    atomic.fence
    i32.sub)
  ;; A result is an i32 whose upper half must not be seen.
  (func (export "extended") (result i64)
    (i32.store (i32.const 48) (i32.const -1))
    (i64.extend_i32_u (i32.atomic.rmw.add (i32.const 48) (i32.const 1))))
  (func (export "extended-operand") (param i64) (result i64)
    (i64.store (i32.const 56) (i64.const -1))
    (i32.atomic.store (i32.const 56) (i32.wrap_i64 (local.get 0)))
    (i64.load (i32.const 56))))

(assert_return (invoke "address-overwritten" (i32.const 60)) (i32.const 0))
(assert_return (invoke "address-overwritten" (i32.const 64)) (i32.const 5))
(assert_return (invoke "value-overwritten" (i32.const 6)) (i32.const 77))
(assert_return (invoke "value-overwritten" (i32.const 0)) (i32.const 83))
(assert_return (invoke "chained" (i32.const 12)) (i32.const 11))
(assert_return (invoke "result-kept" (i32.const 21)) (i32.const 21))
(assert_return (invoke "floats-around") (f64.const 3))
(assert_return (invoke "floats-around") (f64.const 131))
(assert_return (invoke "branch-on-cmpxchg" (i32.const 0)) (i32.const 9))
(assert_return (invoke "branch-on-cmpxchg" (i32.const 1)) (i32.const -1))
(assert_return (invoke "fence" (i32.const 10)) (i32.const 7))
(assert_return (invoke "extended") (i64.const 0xffffffff))
(assert_return (invoke "extended-operand" (i64.const 0x123456789)) (i64.const 0xffffffff23456789))

;; Plain accesses of every width to a shared memory, bulk operations, and vectors.
(module
  (memory 1 2 shared)
  (data $text "0123456789abcdefghijklmnopqrstuvwxyz")
  (data (i32.const 200) "active")
  (func (export "init") (memory.init $text (i32.const 1) (i32.const 3) (i32.const 33)))
  (func (export "copy") (param i32 i32 i32)
    (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32)
    (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load64") (param i32) (result i64) (i64.load (local.get 0)))
  (func (export "loadf") (param i32) (result f32) (f32.load (local.get 0)))
  (func (export "store") (param i32 i64) (i64.store (local.get 0) (local.get 1)))
  (func (export "vector") (param i32) (result v128)
    (v128.store offset=64 (local.get 0) (v128.load (local.get 0)))
    (v128.load8x8_u offset=64 (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "size") (result i32) (memory.size)))

(assert_return (invoke "load8" (i32.const 202)) (i32.const 0x74))
(assert_return (invoke "init"))
(assert_return (invoke "load64" (i32.const 1)) (i64.const 0x6139383736353433))
(assert_return (invoke "copy" (i32.const 3) (i32.const 1) (i32.const 30)))
(assert_return (invoke "load64" (i32.const 1)) (i64.const 0x3837363534333433))
(assert_return (invoke "load8" (i32.const 32)) (i32.const 0x77))
(assert_return (invoke "copy" (i32.const 1) (i32.const 3) (i32.const 30)))
(assert_return (invoke "load64" (i32.const 1)) (i64.const 0x6139383736353433))
(assert_return (invoke "vector" (i32.const 1)) (v128.const i16x8 0x33 0x34 0x35 0x36 0x37 0x38 0x39 0x61))
(assert_return (invoke "fill" (i32.const 300) (i32.const 0x41) (i32.const 21)))
(assert_return (invoke "load8" (i32.const 299)) (i32.const 0))
(assert_return (invoke "load8" (i32.const 300)) (i32.const 0x41))
(assert_return (invoke "load8" (i32.const 320)) (i32.const 0x41))
(assert_return (invoke "load8" (i32.const 321)) (i32.const 0))
(assert_return (invoke "store" (i32.const 402) (i64.const 0x3f800000)))
(assert_return (invoke "loadf" (i32.const 402)) (f32.const 1))
(assert_trap (invoke "load8" (i32.const 65536)) "out of bounds memory access")
(assert_trap (invoke "copy" (i32.const 65530) (i32.const 0) (i32.const 7)) "out of bounds memory access")
(assert_trap (invoke "fill" (i32.const 65530) (i32.const 1) (i32.const 7)) "out of bounds memory access")
(assert_return (invoke "load8" (i32.const 65530)) (i32.const 0))
(assert_return (invoke "grow" (i32.const 1)) (i32.const 1))
(assert_return (invoke "load8" (i32.const 65536)) (i32.const 0))
(assert_return (invoke "size") (i32.const 2))
(assert_return (invoke "grow" (i32.const 1)) (i32.const -1))
(assert_return (invoke "grow" (i32.const 0)) (i32.const 2))
