import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './run.mjs'

/**
 * What checks read of a package's manifest.
 *
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {boolean} [private]
 * @property {Record<string, Record<string, string>>} [exports] - subpath to condition to file.
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, { optional?: boolean }>} [peerDependenciesMeta]
 * @property {{ access?: string, provenance?: boolean }} [publishConfig]
 * @property {{ node: string }} [engines]
 *
 * What users import by one name, e.g. `@eitherway/sse/client`; its files are paths from the root of the repository.
 * @typedef {{ name: string, source: string, types: string }} Entry
 *
 * A package that is published; `folder` is its name below `packages`.
 * @typedef {{ name: string, folder: string, manifest: Manifest, entries: Entry[] }} PublicPackage
 */

/**
 * Every package that is published: whatever lies in `packages` and is not private.
 * @returns {PublicPackage[]}
 */
export function publicPackages() {
  return readdirSync(join(root, 'packages'))
    .filter((folder) => existsSync(join(root, 'packages', folder, 'package.json')))
    .sort()
    .map((folder) => publicPackage(folder, readManifest(folder)))
    .filter(({ manifest }) => manifest.private !== true)
}

/** @param {string} folder @returns {Manifest} */
const readManifest = (folder) =>
  JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'))

/** @param {string} folder @param {Manifest} manifest @returns {PublicPackage} */
function publicPackage(folder, manifest) {
  const entries = Object.entries(manifest.exports ?? {}).map(([subpath, conditions]) => ({
    name: manifest.name + subpath.slice(1),
    source: join('packages', folder, conditions['@eitherway/source'] ?? ''),
    types: join('packages', folder, conditions['types'] ?? ''),
  }))
  return { name: manifest.name, folder, manifest, entries }
}
