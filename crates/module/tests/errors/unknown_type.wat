(module (func (type 9)))
;; error: Invalid: unknown type 9: type index out of bounds (at offset 0xb)
