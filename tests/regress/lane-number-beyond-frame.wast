;; A lane number larger than the frame was taken for a slot outside it.
(module
  (func (export "extract") (param v128) (result i32) (i8x16.extract_lane_s 15 (local.get 0)))
  (func (export "replace") (param v128 i32) (result v128)
    (i8x16.replace_lane 15 (local.get 0) (local.get 1)))
)
(assert_return (invoke "extract" (v128.const i8x16 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 -1))
  (i32.const -1))
(assert_return (invoke "replace" (v128.const i64x2 0 0) (i32.const 7))
  (v128.const i8x16 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 7))
