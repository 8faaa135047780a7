(module binary "\00asm\02\00\00\00")
;; error: Malformed: unknown binary version 0x2, expected 0x1 (at offset 0x4)
