import type { Commands, Origins, Stage } from './stage.ts'

/** What a client of a stage must know. */
export interface Access {
  readonly origins: Origins
  /** The URL of its control. */
  readonly control: string
  readonly token: string
}

/** The stage as seen from anywhere that has `fetch`. @param clock - the stage's time, as known here. */
export function createStage(
  { origins, control, token }: Access,
  clock: Pick<Stage, 'now' | 'clockErrorMs'>,
): Stage {
  return {
    origins,
    now: clock.now,
    get clockErrorMs() {
      return clock.clockErrorMs
    },
    ask: (command, input) => ask({ control, token }, command, input),
  }
}

/** One command. */
export async function ask<C extends keyof Commands>(
  { control, token }: Pick<Access, 'control' | 'token'>,
  command: C,
  input: Commands[C]['input'],
): Promise<Commands[C]['output']> {
  // A body of plain text: for a page of another origin, JSON would need leave first.
  const response = await fetch(control, { method: 'POST', body: JSON.stringify({ token, command, input }) })
  const answer = (await response.json()) as { output?: Commands[C]['output']; error?: string }
  if (answer.output === undefined) throw new Error(`the stage could not ${command}: ${answer.error}`)
  return answer.output
}
