// Number theory in AssemblyScript; each export can be called with `--invoke`.

export function gcd(a: u32, b: u32): u32 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

export function isPrime(n: u32): bool {
  if (n < 4) return n >= 2;
  if (n % 2 == 0) return false;
  for (let d: u32 = 3; d <= n / d; d += 2) {
    if (n % d == 0) return false;
  }
  return true;
}

/** The n-th prime, counted from 1, by a sieve that doubles until it is large enough. */
export function nthPrime(n: u32): u32 {
  if (n == 0) unreachable();
  let limit: u32 = 64;
  while (true) {
    const composite = new StaticArray<bool>(limit);
    let seen: u32 = 0;
    for (let i: u32 = 2; i < limit; i++) {
      if (unchecked(composite[i])) continue;
      if (++seen == n) return i;
      for (let j = <u64>i * i; j < limit; j += i) unchecked((composite[<u32>j] = true));
    }
    limit *= 2;
  }
}
