(module (func (block $out (br $uot))))
