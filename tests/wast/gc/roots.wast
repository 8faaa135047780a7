;; Where references are while objects move: every kind of place must be found by a collection.

;; A parameter of a loop that is a null constant at first, and an object the next time around.
(module
  (type $box (struct (field i32)))
  (func $garbage (param $n i32)
    (loop $l
      (drop (struct.new $box (i32.const -1)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "null-parameter") (param $n i32) (result i32)
    (ref.null $box)
    (loop $again (param (ref null $box)) (result i32)
      ;; The reference lies under the call.
      (call $garbage (i32.const 200000))
      (if (param (ref null $box)) (result i32) (local.get $n)
        (then
          (drop)
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (struct.new $box (i32.add (local.get $n) (i32.const 40)))
          (br $again))
        (else (struct.get $box 0)))))
)

(assert_return (invoke "null-parameter" (i32.const 1)) (i32.const 40))
(assert_return (invoke "null-parameter" (i32.const 3)) (i32.const 40))
