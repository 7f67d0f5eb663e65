import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { deadLinks } from '../../../scripts/dead-links.mjs'
import { outline } from '../../../scripts/site.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('the index of the docs leads to every page of them, each once', () => {
  const listed = outline().flatMap(({ paths }) => paths)
  const written = readdirSync(join(root, 'docs'), { recursive: true })
    .map((name) => join('docs', String(name)))
    .filter((path) => path.endsWith('.md') && !path.startsWith(join('docs', 'reference')))
  expect(listed.filter((path) => path.startsWith('docs')).sort()).toEqual(written.sort())
})

// The site itself is held to this whenever it is made.
test('a link of a site that leads to no file, out of the site, or to no anchor is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eitherway-site-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'guides'))
  await writeFile(join(folder, 'style.css'), '')
  await writeFile(
    join(folder, 'index.html'),
    '<link href="style.css"><h1 id="top"></h1><a href="guides/a%20b.html#x"></a><a href="#top"></a><a href="https://no.example/#y"></a>',
  )
  await writeFile(
    join(folder, 'guides/a b.html'),
    '<a id="x" href="../index.html#bottom"></a><a href="none.html"></a><img src="../../site.png"><a href="../style.css"></a>',
  )
  const page = join('guides', 'a b.html')
  expect(deadLinks(folder)).toEqual([
    `${page}: ../index.html#bottom`,
    `${page}: none.html`,
    `${page}: ../../site.png`,
  ])
})
