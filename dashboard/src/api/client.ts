// Requests to the gateway. The only file that calls fetch; nursery.ts beside it has more of them.
// Not here: what to do with the answers.
import type {
  Alarm,
  AlarmComment,
  AlarmDetail,
  Alarms,
  AnswerCard,
  AnswerToken,
  BatchExposure,
  BatchSeries,
  Batches,
  ConfirmLimit,
  Health,
  NewNote,
  Node,
  Note,
  Overview,
  PasswordChange,
  Problem,
  Series,
  Session,
  Sheet,
  Shelve,
  SignIn,
  ZoneDetail,
} from './types';

const BASE = '/api/v1';

/** An answer that takes longer counts as a lost connection. */
export const ANSWER_MAX_MS = 20_000;

/** The gateway refused. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.code);
    this.name = 'Refused';
  }
}

/** The gateway did not answer at all. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super('unreachable', { cause });
    this.name = 'Unreachable';
  }
}

/** Sends a request; throws `Refused` or `Unreachable`. */
export async function call(
  method: string,
  path: string,
  body: unknown,
  signal?: AbortSignal,
  answer_max_ms = ANSWER_MAX_MS,
): Promise<Response> {
  const timeout = AbortSignal.timeout(answer_max_ms);
  const init: RequestInit = {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    headers: { accept: 'application/json' },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { accept: 'application/json', 'content-type': 'application/json' };
  }
  let response: Response;
  try {
    response = await fetch(`${BASE}${path}`, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(error);
  }
  if (!response.ok) throw new Refused(response.status, await problemOf(response));
  return response;
}

async function problemOf(response: Response): Promise<Problem> {
  return problemIn(response.status, await response.text().catch(() => ''));
}

/** Returns what a refusal says. */
export function problemIn(status: number, text: string): Problem {
  try {
    const body: unknown = JSON.parse(text);
    if (isProblem(body)) return body;
  } catch {
    // Not JSON: the proxy in front of the gateway answered.
  }
  return {
    code: `http_${status}`,
    message: {
      zh: `网关答复了 HTTP ${status}，请稍后再试。`,
      en: `The gateway answered HTTP ${status}. Try again later.`,
    },
    field: null,
  };
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === 'object' &&
    body !== null &&
    'code' in body &&
    typeof body.code === 'string' &&
    'message' in body &&
    typeof body.message === 'object'
  );
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await call('GET', path, undefined, signal);
  return (await response.json()) as T;
}

export async function post(path: string, body: unknown): Promise<void> {
  await call('POST', path, body);
}

export function query(parameters: Record<string, string | number>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) search.set(name, String(value));
  return search.toString();
}

function rfc3339(time_ms: number): string {
  return new Date(Math.round(time_ms)).toISOString();
}

export function health(signal?: AbortSignal): Promise<Health> {
  return get('/health', signal);
}

/** Returns who is signed in, or null where nobody is. */
export async function session(signal?: AbortSignal): Promise<Session | null> {
  try {
    return await get<Session>('/session', signal);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return null;
    throw error;
  }
}

export async function signIn(body: SignIn): Promise<Session | null> {
  await post('/session', body);
  return session();
}

export async function signOut(): Promise<void> {
  await call('DELETE', '/session', undefined);
}

export function changePassword(body: PasswordChange): Promise<void> {
  return post('/session/password', body);
}

export function overview(signal?: AbortSignal): Promise<Overview> {
  return get('/overview', signal);
}

export function zone(site: string, id: string, from_ms: number, to_ms: number, signal?: AbortSignal): Promise<ZoneDetail> {
  const span = query({ from: rfc3339(from_ms), to: rfc3339(to_ms) });
  return get(`/zones/${encodeURIComponent(site)}/${encodeURIComponent(id)}?${span}`, signal);
}

export function series(
  channel: number,
  from_ms: number,
  to_ms: number,
  points: number,
  signal?: AbortSignal,
): Promise<Series> {
  const span = query({ from: rfc3339(from_ms), to: rfc3339(to_ms), points });
  return get(`/channels/${channel}/series?${span}`, signal);
}

export function alarms(state: 'open' | 'unacknowledged' | 'closed' | 'all', signal?: AbortSignal): Promise<Alarms> {
  return get(`/alarms?${query({ state })}`, signal);
}

export function alarm(id: string, signal?: AbortSignal): Promise<AlarmDetail> {
  return get(`/alarms/${encodeURIComponent(id)}`, signal);
}

export function acknowledge(id: Alarm['id'], body: AlarmComment): Promise<void> {
  return post(`/alarms/${encodeURIComponent(id)}/acknowledge`, body);
}

export function comment(id: Alarm['id'], body: AlarmComment): Promise<void> {
  return post(`/alarms/${encodeURIComponent(id)}/comment`, body);
}

export function nodes(signal?: AbortSignal): Promise<Node[]> {
  return get('/nodes', signal);
}

// The night and the morning: links of messages, shelving, notes, limits, comparisons, the daily sheet.

/** Returns what stands behind a message's link; changes nothing. */
export async function lookAnswer(body: AnswerToken): Promise<AnswerCard> {
  const response = await call('POST', '/answers/look', body);
  return (await response.json()) as AnswerCard;
}

/** Acknowledges through a message's link; works once. */
export async function answer(body: AnswerToken): Promise<AnswerCard> {
  const response = await call('POST', '/answers', body);
  return (await response.json()) as AnswerCard;
}

export function shelve(id: Alarm['id'], body: Shelve): Promise<void> {
  return post(`/alarms/${encodeURIComponent(id)}/shelve`, body);
}

export function unshelve(id: Alarm['id']): Promise<void> {
  return post(`/alarms/${encodeURIComponent(id)}/unshelve`, { comment: '' });
}

export function leaveNote(body: NewNote): Promise<void> {
  return post('/notes', body);
}

/** Says that a note was read and can go. */
export function putAway(id: Note['id']): Promise<void> {
  return post(`/notes/${id}/done`, {});
}

export function confirmLimit(body: ConfirmLimit): Promise<void> {
  return post('/limits/confirm', body);
}

/** Returns every batch, closed ones too. */
export function allBatches(signal?: AbortSignal): Promise<Batches> {
  return get('/batches?state=all', signal);
}

export function exposure(site: string, batch: string, signal?: AbortSignal): Promise<BatchExposure> {
  return get(`/batches/${encodeURIComponent(site)}/${encodeURIComponent(batch)}/exposure`, signal);
}

export function batchSeries(
  site: string,
  batch: string,
  quantity: string,
  points: number,
  signal?: AbortSignal,
): Promise<BatchSeries> {
  const asked = query({ quantity, points });
  return get(`/batches/${encodeURIComponent(site)}/${encodeURIComponent(batch)}/series?${asked}`, signal);
}

export function sheet(site: string, date: string, signal?: AbortSignal): Promise<Sheet> {
  return get(`/sheet?${query({ site, date })}`, signal);
}
