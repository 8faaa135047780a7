;; The exceptions of before 3.0: values that reach the end of a part of a block from different heights,
;; and the way of an exception through `delegate` and `rethrow`.

(module
  (tag $e (param i32 i64))
  (tag $f)
  (func $throw-e (param i32) local.get 0 i64.const 100 throw $e)
  ;; The payload lies above a place for the exception, results do not.
  (func (export "results") (param i32) (result i64 i32)
    i64.const 7
    try (result i32)
      local.get 0
      if
        local.get 0
        call $throw-e
      end
      i32.const 1
    catch $e
      i32.wrap_i64
      i32.add
    catch_all
      i32.const 3
    end)
  (func (export "branch-out") (param i32) (result i32)
    try $t (result i32)
      i32.const 50
      call $throw-e
      i32.const 1
    catch $e
      drop
      local.get 0
      br_if $t
      i32.const 2
      i32.add
      br $t
    end)
  (func (export "branch-table") (param i32) (result i32)
    block $b (result i32)
      try $t (result i32)
        i32.const 50
        call $throw-e
        i32.const 1
      catch $e
        drop
        local.get 0
        br_table $t $b
      end
      i32.const 1
      i32.add
    end)
  (func (export "no-value") (result i32)
    try
      throw $f
    catch $f
    catch_all
      unreachable
    end
    i32.const 4)
  (func (export "no-clauses") (result i32)
    try (result i32)
      i32.const 6
    end)
  (func (export "thrown-in-catch") (result i32)
    try (result i32)
      try (result i32)
        throw $f
      catch $f
        i32.const 1
        call $throw-e
        i32.const 2
      catch_all
        i32.const 3
      end
    catch $e
      drop
      i32.const 10
      i32.add
    end)
  (func (export "unreachable-parts") (result i32)
    try (result i32)
      throw $f
      try
        unreachable
      delegate 0
      try
      catch_all
      end
      i32.const 1
    catch_all
      i32.const 5
      br 0
      try
      catch $f
      end
    end)
)
(assert_return (invoke "results" (i32.const 0)) (i64.const 7) (i32.const 1))
(assert_return (invoke "results" (i32.const 5)) (i64.const 7) (i32.const 105))
(assert_return (invoke "branch-out" (i32.const 1)) (i32.const 50))
(assert_return (invoke "branch-out" (i32.const 0)) (i32.const 52))
(assert_return (invoke "branch-table" (i32.const 0)) (i32.const 51))
(assert_return (invoke "branch-table" (i32.const 1)) (i32.const 50))
(assert_return (invoke "no-value") (i32.const 4))
(assert_return (invoke "no-clauses") (i32.const 6))
(assert_return (invoke "thrown-in-catch") (i32.const 11))
(assert_return (invoke "unreachable-parts") (i32.const 5))

;; Rethrowing from within other blocks, and the outer of two.
(module
  (tag $e (param i32))
  (tag $f (param i32))
  (func $catch (param i32) (result i32)
    try (result i32)
      try
        i32.const 1
        throw $e
      catch $e
        drop
        try
          i32.const 2
          throw $f
        catch $f
          drop
          block
            local.get 0
            if
              rethrow 3
            end
            rethrow 1
          end
        end
      end
      i32.const 0
    catch $f
      i32.const 20
      i32.add
    end)
  (func (export "rethrow") (param i32) (result i32)
    try (result i32)
      local.get 0
      call $catch
    catch $e
      i32.const 10
      i32.add
    end)
  (func (export "legacy-to-table") (result i32)
    (block $h (result i32 exnref)
      (try_table (catch_ref $e $h)
        try
          i32.const 3
          throw $e
        catch_all
          rethrow 0
        end)
      unreachable)
    drop)
)
(assert_return (invoke "rethrow" (i32.const 0)) (i32.const 22))
(assert_return (invoke "rethrow" (i32.const 1)) (i32.const 11))
(assert_return (invoke "legacy-to-table") (i32.const 3))

;; Delegating to a block, past handlers, to a block that is catching, and out of the function.
(module
  (tag $e)
  (func (export "past") (result i32)
    try $outer (result i32)
      try (result i32)
        try
          throw $e
        delegate $outer
        i32.const 1
      catch_all
        i32.const 2
      end
    catch_all
      i32.const 3
    end)
  (func (export "to-block") (result i32)
    try (result i32)
      block $b (result i32)
        try (result i32)
          try
            throw $e
          delegate $b
          i32.const 1
        catch_all
          i32.const 2
        end
      end
    catch_all
      i32.const 3
    end)
  (func (export "to-catching") (result i32)
    try (result i32)
      try $t (result i32)
        throw $e
      catch $e
        try
          throw $e
        delegate $t
        i32.const 1
      catch_all
        i32.const 2
      end
    catch_all
      i32.const 3
    end)
  (func $out
    try
      try
        throw $e
      delegate 1
    catch_all
    end)
  (func (export "out") (result i32)
    try (result i32)
      call $out
      i32.const 1
    catch_all
      i32.const 2
    end)
  (func (export "chain") (result i32)
    try $a (result i32)
      try $b
        try $c
          try
            throw $e
          delegate $c
        delegate $a
      catch_all
        i32.const 7
        return
      end
      i32.const 1
    catch $e
      i32.const 4
    end)
)
(assert_return (invoke "past") (i32.const 3))
(assert_return (invoke "to-block") (i32.const 3))
(assert_return (invoke "to-catching") (i32.const 3))
(assert_return (invoke "out") (i32.const 2))
(assert_return (invoke "chain") (i32.const 4))
