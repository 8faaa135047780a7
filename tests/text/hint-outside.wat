(module
  (@metadata.code.branch_hint "\01")
  (func))
