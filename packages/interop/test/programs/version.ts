/** As much of each runtime as says which one it is. */
interface Runtimes {
  readonly Bun?: { readonly version: string }
  readonly Deno?: { readonly version: { readonly deno: string } }
  readonly process?: { readonly versions?: { readonly node?: string } }
}

/** The version of the runtime that this runs on. */
export function versionHere(): string {
  const { Bun, Deno, process } = globalThis as Runtimes
  return (
    Bun?.version ??
    Deno?.version.deno ??
    process?.versions?.node ??
    // Browsers say no more than this.
    /(?:Chrome|Firefox)\/(\d+)/.exec(navigator.userAgent)?.[1] ??
    navigator.userAgent
  )
}
