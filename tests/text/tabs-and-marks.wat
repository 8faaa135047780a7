(module
	(func	(;é́;) (export "🐦漢") 	(result i33)))
