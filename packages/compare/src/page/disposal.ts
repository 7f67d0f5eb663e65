/**
 * Gives browsers from before 2025 the two symbols, which the sources use by name. What esbuild makes of `await using` looks
 * for these where the real ones are missing.
 */
export function provideDisposal(): void {
  for (const name of ['dispose', 'asyncDispose']) {
    if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol.for(`Symbol.${name}`) })
  }
}
