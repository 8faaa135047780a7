(module
  (func $a‮ (call $b)))
