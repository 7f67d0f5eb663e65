import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { lacks } from './harness.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Every page that people read: of the root, the docs and the examples, without what is generated. */
const pages = [
  ...markdownIn('.', { recursive: false }),
  ...markdownIn('docs', { recursive: true }),
  ...markdownIn('examples', { recursive: true }),
  ...markdownIn('packages', { recursive: true }),
].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))

function markdownIn(folder: string, { recursive }: { recursive: boolean }): string[] {
  return readdirSync(join(root, folder), { recursive })
    .map((name) => join(folder, String(name)))
    .filter((path) => path.endsWith('.md') && !/node_modules|^docs.reference/.test(path))
    .sort()
}

const fence = /^```.*?^```$/gms

test('every relative link leads to a file, and to a heading of it', () => {
  const broken: string[] = []
  for (const { path, text } of pages) {
    const prose = text.replace(fence, '').replace(/`[^`\n]*`/g, '')
    for (const [, target = ''] of prose.matchAll(/\]\(([^()\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const linked = file === '' ? join(root, path) : resolve(root, dirname(path), file)
      const leads =
        existsSync(linked) && (anchor === undefined || anchorsOf(readFileSync(linked, 'utf8')).has(anchor))
      if (!leads) broken.push(`${path}: ${target}`)
    }
  }
  expect(broken).toEqual([])
})

/** The anchors that GitHub gives to headings: lower case, punctuation left out, a number from the second of a name on. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of text.replace(fence, '').matchAll(/^#+ +(.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\-_ ]/gu, '')
      .replaceAll(' ', '-')
    let anchor = slug
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/**
 * The blocks of a language in a page, each a module of its own. A block that leans on what the text around it says is
 * completed by a comment right before it, which a reader of the page does not see: `<!-- before: declare const … -->`.
 */
function snippetsOf(language: string, { path, text }: { path: string; text: string }) {
  const block = new RegExp(
    `(?:^<!-- before:((?:(?!-->).)*)-->\\n+)?^\`\`\`(${language})\\n(.*?)^\`\`\`$`,
    'gms',
  )
  return [...text.matchAll(block)].map(({ 0: whole, 1: before = '', 2: kind, 3: code = '', index }) => {
    const line = linesOf(text.slice(0, index + whole.length)) - linesOf(code)
    // Named as if they stood here, so that they find the packages that this one depends on.
    const name = fileURLToPath(
      new URL(`${path.replaceAll(sep, '-')}-${line}.${kind === 'tsx' ? 'tsx' : 'mts'}`, import.meta.url),
    )
    return {
      name,
      block: code,
      code: `${before.trim()}\n${code}\nexport {}\n`,
      path,
      line: line + 1 - linesOf(before.trim()),
    }
  })
}

type Snippet = ReturnType<typeof snippetsOf>[number]

const linesOf = (text: string) => text.split('\n').length

/** What the compiler has to say of each. */
function complaintsOf(all: readonly Snippet[], changes: ts.CompilerOptions): string[] {
  const snippets = new Map(all.map((snippet) => [snippet.name, snippet]))
  expect(snippets.size).toBeGreaterThan(0)
  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
  const { options, errors } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  expect(errors).toEqual([])
  const settings: ts.CompilerOptions = {
    ...options,
    noEmit: true,
    types: ['node'],
    // What an example makes, the reader goes on with.
    noUnusedLocals: false,
    noUnusedParameters: false,
    ...changes,
  }

  const host = ts.createCompilerHost(settings)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => snippets.has(resolve(name)) || fileExists(name)
  host.readFile = (name) => snippets.get(resolve(name))?.code ?? readFile(name)
  host.getSourceFile = (name, languageOptions, ...rest) => {
    const code = snippets.get(resolve(name))?.code
    if (code === undefined) return getSourceFile(name, languageOptions, ...rest)
    return ts.createSourceFile(name, code, languageOptions)
  }
  const program = ts.createProgram([...snippets.keys()], settings, host)
  return [...snippets.values()].flatMap(({ name, path, line }) => {
    const source = program.getSourceFile(name)
    return ts.getPreEmitDiagnostics(program, source).map(({ messageText, start = 0 }) => {
      const within = source?.getLineAndCharacterOfPosition(start).line ?? 0
      return `${path}:${line + within}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
  })
}

test('every block of TypeScript compiles', { timeout: 120_000 }, () => {
  const snippets = pages.flatMap((page) => snippetsOf('tsx?', page))
  expect(complaintsOf(snippets, {})).toEqual([])
})

test('every block of JavaScript compiles, or stands in a program of ours', { timeout: 120_000 }, () => {
  const programs = readdirSync(join(root, 'examples'), { recursive: true })
    .map(String)
    .filter((name) => /\.(m?ts|m?js)$/.test(name) && !name.includes('node_modules'))
    .map((name) => readFileSync(join(root, 'examples', name), 'utf8'))
  const snippets = pages
    .flatMap((page) => snippetsOf('js', page))
    .filter(({ block }) => !programs.some((text) => text.includes(block)))
  // Types are what it does not have.
  expect(complaintsOf(snippets, { noImplicitAny: false })).toEqual([])
})

test.skipIf(lacks('python'))('every block of Python is Python', () => {
  const blocks = pages.flatMap((page) => snippetsOf('python', page))
  expect(blocks.length).toBeGreaterThan(0)
  for (const { block, path, line } of blocks) {
    const { status, stderr } = spawnSync(
      '/usr/bin/python3',
      ['-c', 'import ast, sys; ast.parse(sys.stdin.read())'],
      {
        input: block,
        encoding: 'utf8',
      },
    )
    expect({ path, line, status, stderr }).toMatchObject({ status: 0 })
  }
})

test('every script that a page names is there', () => {
  const scriptsOf = (folder: string) =>
    Object.keys(
      (JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as { scripts?: object })
        .scripts ?? {},
    )
  const known = new Set(scriptsOf('.'))
  const named = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/g)].map(([, name = '']) => ({ path, name })),
  )
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter(({ name }) => !known.has(name))).toEqual([])
})
