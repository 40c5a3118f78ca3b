// Requests about batches, germplasm, studies, the first hour and people; sent by client.ts.
// Not here: what to do with the answers.
import { ANSWER_MAX_MS, call, get, post, problemIn, query, Refused, Unreachable } from './client';
import type {
  AccessionDetail,
  Accessions,
  BatchClose,
  BatchDetail,
  Batches,
  BatchMove,
  BatchStageChange,
  Calibrations,
  CalibrationTouched,
  Contact,
  Crop,
  Import,
  NewBatch,
  NewCalibration,
  NewNode,
  NewSite,
  NewToken,
  NewUser,
  NewZone,
  NodeSecret,
  Notify,
  Setup,
  Site,
  StudyPreview,
  StudyRequest,
  Tokens,
  TokenSecret,
  Trust,
  Users,
} from './types';

/** Where the accessions are downloaded as an MCPD file. */
export const ACCESSIONS_FILE = '/api/v1/accessions/export';

async function give<T>(path: string, body: unknown): Promise<T> {
  const response = await call('POST', path, body);
  return (await response.json()) as T;
}

function at(...parts: string[]): string {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}

export type BatchesAsked = { state: 'open' | 'closed' | 'all'; site?: string; zone?: string };

export function batches(asked: BatchesAsked, signal?: AbortSignal): Promise<Batches> {
  return get(`/batches?${query(asked)}`, signal);
}

export function batch(site: string, id: string, signal?: AbortSignal): Promise<BatchDetail> {
  return get(`/batches${at(site, id)}`, signal);
}

export function addBatch(body: NewBatch): Promise<void> {
  return post('/batches', body);
}

export function moveBatch(site: string, id: string, body: BatchMove): Promise<void> {
  return post(`/batches${at(site, id)}/move`, body);
}

export function stageBatch(site: string, id: string, body: BatchStageChange): Promise<void> {
  return post(`/batches${at(site, id)}/stage`, body);
}

export function closeBatch(site: string, id: string, body: BatchClose): Promise<void> {
  return post(`/batches${at(site, id)}/close`, body);
}

export function crops(signal?: AbortSignal): Promise<Crop[]> {
  return get('/crops', signal);
}

export function sites(signal?: AbortSignal): Promise<Site[]> {
  return get('/sites', signal);
}

export function accessions(search: string, limit: number, after: number | null, signal?: AbortSignal): Promise<Accessions> {
  const asked: Record<string, string | number> = { limit };
  if (search !== '') asked['search'] = search;
  if (after !== null) asked['after'] = after;
  return get(`/accessions?${query(asked)}`, signal);
}

export function accession(id: number, signal?: AbortSignal): Promise<AccessionDetail> {
  return get(`/accessions/${id}`, signal);
}

export type ImportAsked = { check: boolean; faulty: 'refuse' | 'skip' };

/** Sends an MCPD file; `onsent` is told which share of it has left. An abort ends it. */
export function importAccessions(file: Blob, asked: ImportAsked, onsent: (share: number) => void, signal: AbortSignal): Promise<Import> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `/api/v1/accessions/import?${query({ check: String(asked.check), faulty: asked.faulty })}`);
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('content-type', 'text/csv');
    request.upload.onprogress = ({ loaded, total }) => onsent(total > 0 ? loaded / total : 1);
    request.upload.onload = () => onsent(1);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as Import);
      else reject(new Refused(request.status, problemIn(request.status, request.responseText)));
    };
    request.onerror = () => reject(new Unreachable(new Error('upload')));
    request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

/** Asks what a study's file would hold; a long span takes the gateway a while. */
export async function previewStudy(body: StudyRequest, signal: AbortSignal): Promise<StudyPreview> {
  const response = await call('POST', '/studies/preview', body, signal, 3 * ANSWER_MAX_MS);
  return (await response.json()) as StudyPreview;
}

export function setup(signal?: AbortSignal): Promise<Setup> {
  return get('/setup', signal);
}

export function addSite(body: NewSite): Promise<void> {
  return post('/sites', body);
}

export function addZone(body: NewZone): Promise<void> {
  return post('/zones', body);
}

export function addNode(body: NewNode): Promise<NodeSecret> {
  return give('/nodes', body);
}

export function trust(signal?: AbortSignal): Promise<Trust> {
  return get('/trust', signal);
}

export function users(signal?: AbortSignal): Promise<Users> {
  return get('/users', signal);
}

export function addUser(body: NewUser): Promise<void> {
  return post('/users', body);
}

export async function removeUser(user: string): Promise<void> {
  await call('DELETE', `/users${at(user)}`, undefined);
}

export function userContact(user: string, body: Contact): Promise<void> {
  return post(`/users${at(user)}/contact`, body);
}

export function ownContact(body: Contact): Promise<void> {
  return post('/session/contact', body);
}

export function tokens(signal?: AbortSignal): Promise<Tokens> {
  return get('/tokens', signal);
}

export function addToken(body: NewToken): Promise<TokenSecret> {
  return give('/tokens', body);
}

export async function removeToken(name: string): Promise<void> {
  await call('DELETE', `/tokens${at(name)}`, undefined);
}

export function notify(signal?: AbortSignal): Promise<Notify> {
  return get('/notify', signal);
}

/** Sends a test message to oneself through every channel. */
export function testNotify(): Promise<void> {
  return post('/notify/test', {});
}

export function calibrations(channel: number, signal?: AbortSignal): Promise<Calibrations> {
  return get(`/channels/${channel}/calibrations`, signal);
}

export function addCalibration(channel: number, body: NewCalibration): Promise<CalibrationTouched> {
  return give(`/channels/${channel}/calibrations`, body);
}

export function withdrawCalibration(number: number, why: string): Promise<CalibrationTouched> {
  return give(`/calibrations/${number}/withdrawal`, { why });
}
