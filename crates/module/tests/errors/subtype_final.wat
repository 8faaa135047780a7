(module (type $a (struct)) (type $b (sub $a (struct (field i32)))))
;; error: Invalid: sub type cannot have a final super type (at offset 0xd)
