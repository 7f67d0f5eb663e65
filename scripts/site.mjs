// A plugin of TypeDoc: makes one site of the reference and the pages. docs/README.md says which, in what order, under which title.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { Application, Converter, Renderer } from 'typedoc'
import { deadLinks } from './dead-links.mjs'
import { root } from './run.mjs'

/** @param {import('typedoc').Application} app */
export function load(app) {
  const groups = outline()
  const pages = groups.flatMap(({ paths }) => paths)
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue('projectDocuments', pages)
    app.options.setValue('groupOrder', [...groups.map(({ title }) => title), '*'])
  })
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    const path = relative(root, app.files.getReflectionPath(page) ?? '')
    page.name = titleOf(path)
    page.frontmatter['group'] = groups.find(({ paths }) => paths.includes(path))?.title ?? 'Pages'
  })
  // TypeDoc itself looks at the links of comments and pages, and not at what becomes of them.
  app.renderer.on(Renderer.EVENT_END, ({ outputDirectory }) => {
    for (const link of deadLinks(outputDirectory)) app.logger.error(`a dead link in ${link}`)
  })
}

/** The index, section by section: its title and the pages that it links to, each once. */
export function outline() {
  const seen = new Set(['README.md'])
  const text = readFileSync(join(root, 'docs/README.md'), 'utf8')
  const [, ...sections] = text.split(/^## /m)
  const groups = sections.map((section) => {
    const [title = ''] = section.split('\n', 1)
    const paths = [...section.matchAll(/\]\(([^()\s#]+\.md)\)/g)]
      .map(([, target = '']) => join('docs', target))
      .filter((path) => !seen.has(path) && seen.add(path))
    return { title, paths }
  })
  groups[0]?.paths.unshift('docs/README.md')
  groups.push({ title: 'Decisions', paths: decisions() })
  return groups
}

function decisions() {
  const folder = 'docs/decisions'
  return readdirSync(join(root, folder))
    .filter((name) => /^\d.*\.md$/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

/** @param {string} path */
function titleOf(path) {
  const [, title = dirname(path)] = /^# +(.+)$/m.exec(readFileSync(join(root, path), 'utf8')) ?? []
  return title.replaceAll('`', '')
}
