package tide

type Flock struct {
	Birds []int
	Noise float64
}

func (f *Flock) Sum(limit int) (total int) {
	for i, b := range f.Birds {
		if i >= limit {
			break
		}
		total += b * i
	}
	return total
}

func Fib(n int) int {
	if n < 2 {
		return n
	}
	return Fib(n-1) + Fib(n-2)
}
