import type { Place } from '../report.ts'

/** What a browser says of itself. */
interface Agent {
  readonly userAgent: string
  readonly userAgentData?: {
    readonly brands: readonly { readonly brand: string; readonly version: string }[]
  }
}

/** Browsers without brands, the more particular one first: each calls itself by the names of those before it as well. */
const patterns: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Firefox', /\bFirefox\/(\d+)/],
  ['Edge', /\bEdg\/(\d+)/],
  ['Chromium', /\b(?:Headless)?Chrom(?:e|ium)\/(\d+)/],
  ['Safari', /\bVersion\/(\d+).* Safari\//],
]

/** `Chromium 141`, `Firefox 140`. */
export function placeOf({ userAgent, userAgentData }: Agent): Place {
  const brands = userAgentData?.brands.filter(
    ({ brand }) => !/not.?a.?brand/i.test(brand.replace(/\W/g, ' ')),
  )
  // Chromium is a brand of every one that is built on it.
  const brand = brands?.find((one) => one.brand !== 'Chromium') ?? brands?.[0]
  if (brand !== undefined) {
    return { kind: 'page', name: `${brand.brand.replace(/^Headless/, '')} ${brand.version}` }
  }
  for (const [name, pattern] of patterns) {
    const version = pattern.exec(userAgent)?.[1]
    if (version !== undefined) return { kind: 'page', name: `${name} ${version}` }
  }
  return { kind: 'page', name: 'Browser' }
}
