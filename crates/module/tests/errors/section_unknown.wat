(module binary "\00asm\01\00\00\00" "\2a\00")
;; error: Malformed: malformed section id: 42 (at offset 0xa)
