import type { Catalogue } from '../lab.ts'
import type { Run, RunRequest } from '../runs.ts'
import type { Access } from '../stage/ask.ts'

/** What the page asks the lab about measuring. */
export interface LabClient {
  catalogue(): Promise<Catalogue>
  /** `undefined` where pages cannot measure. */
  stage(): Promise<Access | undefined>
  /** The latest run of any page. */
  latest(): Promise<Run | undefined>
  /** @throws Error (by rejection) with the lab's words, where it refuses. */
  begin(request: RunRequest): Promise<Run>
  end(id: number, failure?: string): Promise<Run | undefined>
}

/** @param page - tells this page from others. */
export function createLabClient(page: string): LabClient {
  const query = new URLSearchParams({ page })
  return {
    catalogue: () => ask('/scenarios'),
    stage: async () => (await ask<Access | null>('/stage')) ?? undefined,
    latest: async () => (await ask<Run | null>('/runs')) ?? undefined,
    begin: (request) => ask(`/runs?${query}`, { method: 'POST', body: JSON.stringify(request) }),
    async end(id, failure) {
      const which = new URLSearchParams({ run: String(id), ...(failure !== undefined && { failure }) })
      return (await ask<Run | null>(`/runs/end?${which}`, { method: 'POST' })) ?? undefined
    },
  }
}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { cache: 'no-store', ...init })
  const answer = (await response.json()) as T & { error?: string }
  if (!response.ok) throw new Error(answer.error ?? `the lab answered ${response.status}`)
  return answer
}
