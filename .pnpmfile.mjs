/**
 * What is packed differs from the manifest that lies here.
 *
 * The condition `@eitherway/source` stays here. It leads to TypeScript, which Node does not run in `node_modules`, and whose
 * errors a compiler reports there: whoever sets it for a checkout of ours must not meet it in what the registry gave.
 *
 * The registry holds provenance against the repository that a package names: that is the one whose workflow publishes it.
 */
export const hooks = {
  /**
   * @param {{ exports?: Record<string, Record<string, string>>, repository?: object }} manifest
   * @param {string} folder
   */
  beforePacking(manifest, folder) {
    for (const conditions of Object.values(manifest.exports ?? {})) delete conditions['@eitherway/source']
    const repository = process.env['GITHUB_REPOSITORY']
    if (repository !== undefined) {
      const url = `git+https://github.com/${repository}.git`
      manifest.repository = { type: 'git', url, directory: folder.split(/[\\/]/).slice(-2).join('/') }
    }
    return manifest
  },
}
