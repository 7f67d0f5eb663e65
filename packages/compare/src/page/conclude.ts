import { type Answer, answersOf } from '../answers.ts'
import { parseNeeds } from '../needs.ts'
import { type Recommendation, recommend } from '../recommend.ts'
import { renderHtml } from '../render/html.ts'
import { renderMarkdown } from '../render/markdown.ts'
import type { Machine, Report } from '../report.ts'
import { element, prose } from './element.ts'
import { find } from './find.ts'
import type { Record } from './record.ts'
import { anchorOf, renderResult } from './results.ts'

/** Shows what was measured, each result as it comes. */
export function showResults(root: HTMLElement, record: Record): void {
  const cards = new Map<string, { result: unknown; card: HTMLElement }>()
  record.onChange(({ results }) => {
    let before: HTMLElement | undefined
    for (const result of results) {
      const known = cards.get(anchorOf(result))
      const card = known?.result === result ? known.card : renderResult(result)
      if (known?.card !== card) {
        known?.card.remove()
        if (before === undefined) root.prepend(card)
        else before.after(card)
        cards.set(anchorOf(result), { result, card })
      }
      before = card
    }
  })
}

/** The seven questions, with the figures as far as there are any. */
export function showAnswers(root: HTMLElement, record: Record, machine: Machine): void {
  const list = find(root, 'ol', HTMLOListElement)
  const show = (report: Report) =>
    list.replaceChildren(...answersOf(report).map((answer) => answerOf(answer, report)))
  show({ version: 1, startedAt: '', machine, target: undefined, results: [] })
  record.onChange(show)
}

function answerOf({ name, question, answer, from, also = [] }: Answer, report: Report): HTMLElement {
  const links = [from, ...also].flatMap((source) => {
    const result = report.results.find(({ scenario }) => scenario === source?.scenario)
    return result === undefined ? [] : [element('a', { href: `#${anchorOf(result)}` }, result.title)]
  })
  const item = element(
    'li',
    { id: `answer-${name}` },
    element('h3', {}, question),
    element('p', {}, ...prose(answer)),
  )
  if (links.length > 0) {
    const between = links.flatMap((link, index) => (index === 0 ? [link] : [', ', link]))
    item.append(element('p', { class: 'from' }, 'Figures: ', ...between))
  }
  return item
}

const names = { sse: 'Server-Sent Events', ws: 'WebSocket' } as const

/** The form for the needs, and what follows from them. */
export function createAdvice(root: HTMLElement, record: Record): void {
  const form = find(root, 'form', HTMLFormElement)
  const outcome = find(root, '.outcome', HTMLElement)
  const choice = find(root, '.choice', HTMLElement)
  const word = find(choice, 'b', HTMLElement)
  const title = find(choice, '.name', HTMLElement)
  const complaint = find(root, '.complaint', HTMLElement)
  const reasons = find(root, '.reasons', HTMLElement)
  const changes = find(root, '.changes', HTMLElement)
  const same = find(root, '.same', HTMLElement)
  const pagesOnly = form.querySelectorAll<HTMLInputElement>('[data-of=pages] input')
  const browsers = find(form, '[name=browsers]', HTMLInputElement)

  function show(): void {
    for (const input of pagesOnly) input.disabled = !browsers.checked
    let advice: Recommendation
    try {
      advice = recommend(parseNeeds(needsIn(form)), record.report)
      complaint.textContent = ''
      outcome.dataset['void'] = 'false'
    } catch (error) {
      complaint.textContent = `${withLabel((error as Error).message, form)}.`
      // What was advised for other needs is no advice for these.
      outcome.dataset['void'] = 'true'
      return
    }
    const { transport } = advice
    root.dataset['flag'] = transport
    if (word.textContent !== `'${transport}'`) word.textContent = `'${transport}'`
    if (title.textContent !== names[transport]) title.textContent = names[transport]
    reasons.replaceChildren(...advice.reasons.map(reasonOf))
    changes.replaceChildren(...advice.wouldChange.map((text) => element('li', {}, ...prose(text))))
    same.replaceChildren(...prose(advice.same))
  }
  form.addEventListener('input', show)
  form.addEventListener('submit', (event) => event.preventDefault())
  record.onChange(show)
  show()
}

function needsIn(form: HTMLFormElement): { [name: string]: string } {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]))
}

/** A complaint that begins with the name of a field begins with its label instead. */
function withLabel(message: string, form: HTMLFormElement): string {
  const [name = '', ...rest] = message.split(' ')
  const label = form
    .querySelector(`[name="${CSS.escape(name)}"]`)
    ?.closest('label')
    ?.textContent?.trim()
  return label === undefined ? message : [`“${label}”`, ...rest].join(' ')
}

const sides = { sse: 'for SSE', ws: 'for WebSocket' } as const

function reasonOf({ text, figure, speaksFor }: Recommendation['reasons'][number]): HTMLElement {
  const side = speaksFor === undefined ? 'for neither' : sides[speaksFor]
  return element(
    'li',
    speaksFor === undefined ? {} : { 'data-flag': speaksFor },
    element('small', { class: 'side' }, side),
    element('span', {}, ...prose(text), ...(figure === undefined ? [] : [' ', element('em', {}, figure)])),
  )
}

const formats = {
  json: { type: 'application/json', render: (report: Report) => `${JSON.stringify(report, undefined, 2)}\n` },
  md: { type: 'text/markdown', render: renderMarkdown },
  html: { type: 'text/html', render: renderHtml },
} as const

/** The buttons that save the report. */
export function createExport(root: HTMLElement, record: Record): void {
  const buttons = root.querySelectorAll<HTMLButtonElement>('[data-save]')
  record.onChange(() => {
    for (const button of buttons) button.disabled = false
  })
  for (const button of buttons) {
    button.addEventListener('click', () => {
      const ending = button.dataset['save'] as keyof typeof formats
      const { type, render } = formats[ending]
      if (record.report === undefined) return
      const url = URL.createObjectURL(new Blob([render(record.report)], { type: `${type};charset=utf-8` }))
      const day = record.report.startedAt.slice(0, 10)
      element('a', { href: url, download: `eitherway-${day}.${ending}` }).click()
      // The browser reads it in its own time.
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    })
  }
}
