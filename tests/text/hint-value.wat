(module (func (param i32)
  (@metadata.code.branch_hint "\02") (if (local.get 0) (then))))
