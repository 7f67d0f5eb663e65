import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

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
 * The TypeScript of a page, each block a module of its own. A block that leans on what the text around it says is
 * completed by a comment right before it, which a reader of the page does not see: `<!-- before: declare const … -->`.
 */
function snippetsOf({ path, text }: { path: string; text: string }) {
  const block = /(?:^<!-- before:((?:(?!-->).)*)-->\n+)?^```(tsx?)\n(.*?)^```$/gms
  return [...text.matchAll(block)].map(({ 0: whole, 1: before = '', 2: language, 3: code = '', index }) => {
    const line = linesOf(text.slice(0, index + whole.length)) - linesOf(code)
    // Named as if they stood here, so that they find the packages that this one depends on.
    const name = fileURLToPath(
      new URL(`${path.replaceAll(sep, '-')}-${line}.${language === 'tsx' ? 'tsx' : 'mts'}`, import.meta.url),
    )
    return {
      name,
      code: `${before.trim()}\n${code}\nexport {}\n`,
      path,
      line: line + 1 - linesOf(before.trim()),
    }
  })
}

const linesOf = (text: string) => text.split('\n').length

test('every block of TypeScript compiles', { timeout: 120_000 }, () => {
  const snippets = new Map(pages.flatMap(snippetsOf).map((snippet) => [snippet.name, snippet]))
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
  const complaints = [...snippets.values()].flatMap(({ name, path, line }) => {
    const source = program.getSourceFile(name)
    return ts.getPreEmitDiagnostics(program, source).map(({ messageText, start = 0 }) => {
      const within = source?.getLineAndCharacterOfPosition(start).line ?? 0
      return `${path}:${line + within}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
    })
  })
  expect(complaints).toEqual([])
})
