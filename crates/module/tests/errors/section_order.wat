(module binary "\00asm\01\00\00\00" "\03\01\00" "\01\01\00")
;; error: Malformed: section out of order (at offset 0xd)
