;; Small loops in all their ways of going on and ending: an optimizer may put several iterations in a row.

(module
  (memory 1)

  ;; Falls out of the loop at its end, in whichever iteration.
  (func (export "count") (param $n i32) (result i32) (local $i i32)
    (loop $l
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $i))

  ;; The loop has parameters and a result, and is left in its middle.
  (func (export "triangle") (param $n i32) (result i64)
    (i64.const 0) (local.get $n)
    (loop $l (param i64 i32) (result i64)
      (local.set $n)
      (i64.add (i64.extend_i32_u (local.get $n)))
      (br_if $l (i32.sub (local.get $n) (i32.const 1))
                (i32.gt_s (local.get $n) (i32.const 1)))
      (drop)))

  ;; Every iteration may go on at once, go on later, leave, or return.
  (func (export "four-ways") (param $n i32) (result i32) (local $sum i32)
    (block $out
      (loop $l
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $out (i32.lt_s (local.get $n) (i32.const 0)))
        (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
        (br_if $l (i32.eq (i32.rem_u (local.get $n) (i32.const 3)) (i32.const 1)))
        (if (i32.eq (local.get $n) (i32.const 1000)) (then (return (i32.const -1))))
        (local.set $sum (i32.add (local.get $sum) (i32.const 10)))
        (br $l)))
    (local.get $sum))

  ;; Goes on from a table of branches.
  (func (export "table") (param $n i32) (result i32) (local $sum i32)
    (block $out
      (loop $l
        (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 3)) (local.get $n)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (block $b
          (br_table $out $l $b $l (i32.add (i32.and (local.get $n) (i32.const 1))
                                           (i32.and (i32.gt_s (local.get $n) (i32.const 0)) (i32.const 1)))))
        (local.set $sum (i32.xor (local.get $sum) (i32.const 0x55)))
        (br $l)))
    (local.get $sum))

  ;; Nobody goes on.
  (func (export "once") (param $n i32) (result i32)
    (loop (result i32) (i32.mul (local.get $n) (local.get $n))))

  ;; The end is never reached, and what goes on is never reached either.
  (func (export "never") (param $n i32) (result i32)
    (loop $l
      (if (local.get $n) (then (return (i32.const 7))))
      (return (i32.const 8))
      (br $l))
    (unreachable))

  ;; Traps in an iteration that depends, after so much was stored.
  (func (export "store-until") (param $at i32) (result i32)
    (loop $l
      (i32.store (local.get $at) (local.get $at))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br $l))
    (i32.const 0))
  (func (export "read") (param $at i32) (result i32) (i32.load (local.get $at)))

  ;; What one iteration stores the next one loads.
  (func (export "fibonacci") (param $n i32) (result i64) (local $i i32)
    (i64.store (i32.const 0) (i64.const 0))
    (i64.store (i32.const 8) (i64.const 1))
    (loop $l
      (i64.store (i32.add (local.get $i) (i32.const 16))
        (i64.add (i64.load (local.get $i)) (i64.load offset=8 (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 8)))
      (br_if $l (i32.lt_u (local.get $i) (i32.mul (local.get $n) (i32.const 8)))))
    (i64.load (local.get $i)))

  ;; Loops in a row and in each other; a small one in one of many iterations.
  (func (export "nested") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $sum i32)
    (loop $outer
      (local.set $j (local.get $i))
      (block $done
        (loop $inner
          (br_if $done (i32.eqz (local.get $j)))
          (local.set $sum (i32.add (local.get $sum) (local.get $j)))
          (local.set $j (i32.sub (local.get $j) (i32.const 1)))
          (br $inner)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (local.get $n))))
    (loop $last
      (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
      (br_if $last (i32.and (local.get $sum) (i32.const 15))))
    (local.get $sum))

  ;; An operand below the loop, and a branch out of it that takes it along.
  (func (export "below") (param $n i32) (result i32)
    (block $out (result i32)
      (i32.const 1000)
      (loop $l
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br_if $l (i32.gt_s (local.get $n) (i32.const 5)))
        (if (i32.eq (local.get $n) (i32.const 3)) (then (br $out (i32.const 3))))
        (br_if $l (i32.gt_s (local.get $n) (i32.const 0))))
      (i32.add (local.get $n)))))

(assert_return (invoke "count" (i32.const 0)) (i32.const 1))
(assert_return (invoke "count" (i32.const 1)) (i32.const 1))
(assert_return (invoke "count" (i32.const 2)) (i32.const 2))
(assert_return (invoke "count" (i32.const 3)) (i32.const 3))
(assert_return (invoke "count" (i32.const 4)) (i32.const 4))
(assert_return (invoke "count" (i32.const 5)) (i32.const 5))
(assert_return (invoke "count" (i32.const 100001)) (i32.const 100001))
(assert_return (invoke "triangle" (i32.const 1)) (i64.const 1))
(assert_return (invoke "triangle" (i32.const 2)) (i64.const 3))
(assert_return (invoke "triangle" (i32.const 3)) (i64.const 6))
(assert_return (invoke "triangle" (i32.const 7)) (i64.const 28))
(assert_return (invoke "triangle" (i32.const 1000)) (i64.const 500500))
(assert_return (invoke "four-ways" (i32.const 0)) (i32.const 0))
(assert_return (invoke "four-ways" (i32.const 1)) (i32.const 11))
(assert_return (invoke "four-ways" (i32.const 5)) (i32.const 35))
(assert_return (invoke "four-ways" (i32.const 1000)) (i32.const 7670))
(assert_return (invoke "four-ways" (i32.const 1001)) (i32.const 7671))
(assert_return (invoke "four-ways" (i32.const 1002)) (i32.const 7682))
(assert_return (invoke "table" (i32.const 0)) (i32.const -1))
(assert_return (invoke "table" (i32.const 1)) (i32.const 1))
(assert_return (invoke "table" (i32.const 2)) (i32.const 262))
(assert_return (invoke "once" (i32.const 9)) (i32.const 81))
(assert_return (invoke "never" (i32.const 0)) (i32.const 8))
(assert_return (invoke "never" (i32.const 1)) (i32.const 7))
(assert_trap (invoke "store-until" (i32.const 65500)) "out of bounds memory access")
(assert_return (invoke "read" (i32.const 65500)) (i32.const 65500))
(assert_return (invoke "read" (i32.const 65532)) (i32.const 65532))
(assert_return (invoke "fibonacci" (i32.const 1)) (i64.const 1))
(assert_return (invoke "fibonacci" (i32.const 10)) (i64.const 55))
(assert_return (invoke "fibonacci" (i32.const 91)) (i64.const 4660046610375530309))
(assert_return (invoke "nested" (i32.const 0)) (i32.const 16))
(assert_return (invoke "nested" (i32.const 9)) (i32.const 128))
(assert_return (invoke "nested" (i32.const 10)) (i32.const 176))
(assert_return (invoke "below" (i32.const 10)) (i32.const 3))
(assert_return (invoke "below" (i32.const 3)) (i32.const 1000))

;; Without a counter that ends it, and with references that live across iterations.
(module
  (type $node (struct (field i32) (field (ref null $node))))

  (func (export "list") (param $n i32) (result i32) (local $list (ref null $node)) (local $sum i32)
    (loop $l
      (local.set $list (struct.new $node (local.get $n) (local.get $list)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (block $end
      (loop $l
        (local.set $sum (i32.add (local.get $sum)
          (struct.get $node 0 (br_on_null $end (local.get $list)))))
        (local.set $list (struct.get $node 1 (local.get $list)))
        (br $l)))
    (local.get $sum)))

(assert_return (invoke "list" (i32.const 1)) (i32.const 1))
(assert_return (invoke "list" (i32.const 1000)) (i32.const 500500))
