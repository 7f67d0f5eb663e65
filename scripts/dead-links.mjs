import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

/**
 * The links of a folder of HTML pages that lead nowhere: to no file of the folder, or to no anchor of a page.
 * @param {string} folder
 * @returns {string[]} each as `page: link`
 */
export function deadLinks(folder) {
  const names = readdirSync(folder, { recursive: true }).map(String)
  const pages = new Map(
    names
      .filter((name) => /\.(html|svg)$/.test(name))
      .map((name) => [resolve(folder, name), readFileSync(join(folder, name), 'utf8')]),
  )
  const anchors = new Map(
    [...pages].map(([path, html]) => [path, valuesOf(html, /\s(?:id|name)="([^"]*)"/g)]),
  )
  return [...pages].flatMap(([path, html]) =>
    [...valuesOf(html, /\s(?:href|src)="([^"]*)"/g)]
      .filter((link) => !/^[a-z]+:/i.test(link) && !leads(path, link))
      .map((link) => `${relative(folder, path)}: ${link}`),
  )

  /** @param {string} from @param {string} link */
  function leads(from, link) {
    const [file = '', anchor = ''] = link.split('#').map(decodeURIComponent)
    const to = file === '' ? from : resolve(dirname(from), file)
    // Otherwise what stands on GitHub beside the pages would seem to be in the site.
    if (relative(folder, to).startsWith('..') || !existsSync(to)) return false
    return anchor === '' || anchors.get(to)?.has(anchor) === true
  }
}

/** @param {string} html @param {RegExp} attribute */
function valuesOf(html, attribute) {
  return new Set([...html.matchAll(attribute)].map(([, value = '']) => value.replaceAll('&amp;', '&')))
}
