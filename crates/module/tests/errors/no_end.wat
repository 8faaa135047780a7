(module binary "\00asm\01\00\00\00" "\01\04\01\60\00\00" "\03\02\01\00" "\0a\05\01\03\00\02\40")
;; error: Malformed: control frames remain at end of function body or expression (at offset 0x19, in function #0)
