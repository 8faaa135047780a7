;; Relaxed SIMD: where the specification allows several results, the one of its deterministic profile,
;; on every machine.

(module
  (func (export "swizzle") (param v128 v128) (result v128)
    (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))
  (func (export "trunc_s") (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_s (local.get 0)))
  (func (export "trunc_u") (param v128) (result v128) (i32x4.relaxed_trunc_f32x4_u (local.get 0)))
  (func (export "trunc_zero") (param v128) (result v128 v128)
    (i32x4.relaxed_trunc_f64x2_s_zero (local.get 0))
    (i32x4.relaxed_trunc_f64x2_u_zero (local.get 0)))
  (func (export "madd") (param v128 v128 v128) (result v128)
    (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "nmadd") (param v128 v128 v128) (result v128)
    (f64x2.relaxed_nmadd (local.get 0) (local.get 1) (local.get 2)))
  (func (export "select") (param v128 v128 v128) (result v128)
    (i8x16.relaxed_laneselect (local.get 0) (local.get 1) (local.get 2)))
  (func (export "min") (param v128 v128) (result v128)
    (f32x4.relaxed_min (local.get 0) (local.get 1)))
  (func (export "max") (param v128 v128) (result v128)
    (f64x2.relaxed_max (local.get 0) (local.get 1)))
  (func (export "q15mulr") (param v128 v128) (result v128)
    (i16x8.relaxed_q15mulr_s (local.get 0) (local.get 1)))
  (func (export "dot") (param v128 v128) (result v128)
    (i16x8.relaxed_dot_i8x16_i7x16_s (local.get 0) (local.get 1)))
  (func (export "dot_add") (param v128 v128 v128) (result v128)
    (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get 0) (local.get 1) (local.get 2))))

;; An index from 16 to 127 gives zero, not a byte modulo 16.
(assert_return (invoke "swizzle"
    (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    (v128.const i8x16 15 0 16 17 31 127 128 255 1 2 3 4 5 6 7 8))
  (v128.const i8x16 16 1 0 0 0 0 0 0 2 3 4 5 6 7 8 9))
;; What does not fit saturates, and NaN is zero.
(assert_return (invoke "trunc_s" (v128.const f32x4 nan 1e10 -1e10 -1.9))
  (v128.const i32x4 0 0x7fffffff 0x80000000 -1))
(assert_return (invoke "trunc_u" (v128.const f32x4 -nan 1e10 -1 3e9))
  (v128.const i32x4 0 0xffffffff 0 3000000000))
(assert_return (invoke "trunc_zero" (v128.const f64x2 -inf 4e9))
  (v128.const i32x4 0x80000000 0x7fffffff 0 0) (v128.const i32x4 0 4000000000 0 0))
;; Two roundings: (1 + 2^-23) * (1 - 2^-23) is 1 - 2^-46, which rounds to 1.
(assert_return (invoke "madd"
    (v128.const f32x4 0x1.000002p+0 2 -0 0x1p+127) (v128.const f32x4 0x0.fffffep+0 3 1 2)
    (v128.const f32x4 -1 4 -0 -inf))
  (v128.const f32x4 0 10 -0 nan:canonical))
(assert_return (invoke "nmadd"
    (v128.const f64x2 0x1.0000000000001p+0 2) (v128.const f64x2 0x0.fffffffffffff8p+0 3)
    (v128.const f64x2 1 4))
  (v128.const f64x2 0 -2))
;; Bit by bit, not by the top bit of a lane.
(assert_return (invoke "select"
    (v128.const i32x4 -1 -1 -1 -1) (v128.const i32x4 0 0 0 0)
    (v128.const i32x4 0x80 0x0f0f0f0f 0xffffffff 1))
  (v128.const i32x4 0x80 0x0f0f0f0f 0xffffffff 1))
(assert_return (invoke "min"
    (v128.const f32x4 nan 1 0 -0) (v128.const f32x4 1 nan -0 0))
  (v128.const f32x4 nan:canonical nan:canonical -0 -0))
(assert_return (invoke "max" (v128.const f64x2 nan -0) (v128.const f64x2 1 0))
  (v128.const f64x2 nan:canonical 0))
(assert_return (invoke "q15mulr"
    (v128.const i16x8 -32768 -32768 32767 1 2 3 4 5) (v128.const i16x8 -32768 32767 32767 1 2 3 4 5))
  (v128.const i16x8 32767 -32767 32766 0 0 0 0 0))
;; Both sides are signed bytes; the sum of two products saturates.
(assert_return (invoke "dot"
    (v128.const i8x16 -128 -128 127 127 1 2 3 4 5 6 7 8 9 10 11 12)
    (v128.const i8x16 -128 -128 127 127 -1 1 1 1 1 1 1 1 1 1 1 1))
  (v128.const i16x8 32767 32258 1 7 11 15 19 23))
(assert_return (invoke "dot_add"
    (v128.const i8x16 -128 -128 -128 -128 1 2 3 4 5 6 7 8 9 10 11 12)
    (v128.const i8x16 -128 -128 -128 -128 -1 1 1 1 1 1 1 1 1 1 1 1)
    (v128.const i32x4 1 2 3 0x7fffffff))
  (v128.const i32x4 65535 10 29 0x80000029))
