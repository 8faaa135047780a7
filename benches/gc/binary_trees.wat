;; Binary trees of depth 18, after the benchmarks game, with a quarter of its iterations: many short-lived trees beside
;; one that stays.
(module
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree))))

  (func $make (param $depth i32) (result (ref $tree))
    (if (i32.eqz (local.get $depth))
      (then (return (struct.new $tree (ref.null $tree) (ref.null $tree)))))
    (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
    (struct.new $tree (call $make (local.get $depth)) (call $make (local.get $depth))))

  ;; The number of nodes.
  (func $check (param $tree (ref null $tree)) (result i32)
    (if (ref.is_null (local.get $tree))
      (then (return (i32.const 0))))
    (i32.add
      (i32.const 1)
      (i32.add
        (call $check (struct.get $tree $left (local.get $tree)))
        (call $check (struct.get $tree $right (local.get $tree))))))

  (func (export "run") (result i64)
    (local $long (ref null $tree)) (local $depth i32) (local $left i32) (local $sum i64)
    (local.set $sum (i64.extend_i32_u (call $check (call $make (i32.const 19)))))
    (local.set $long (call $make (i32.const 18)))
    (local.set $depth (i32.const 4))
    (loop $depths
      (local.set $left (i32.shl (i32.const 1) (i32.sub (i32.const 20) (local.get $depth))))
      (loop $trees
        (local.set $sum
          (i64.add (local.get $sum) (i64.extend_i32_u (call $check (call $make (local.get $depth))))))
        (br_if $trees (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $depth (i32.add (local.get $depth) (i32.const 2)))
      (br_if $depths (i32.le_u (local.get $depth) (i32.const 18))))
    (i64.add
      (local.get $sum)
      (i64.shl (i64.extend_i32_u (call $check (local.get $long))) (i64.const 32)))))
