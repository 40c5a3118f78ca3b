// The 41 descriptors of MCPD in the groups that a person looks for. Not here: their names, which the
// gateway sends.
import type { Descriptor } from '../api/types';

export const GROUPS = ['identity', 'taxonomy', 'collecting', 'breeding', 'holding', 'other'] as const;
export type Group = (typeof GROUPS)[number];

const MEMBERS: Record<Exclude<Group, 'other'>, string[]> = {
  identity: ['PUID', 'INSTCODE', 'ACCENUMB', 'ACCENAME', 'ACQDATE', 'OTHERNUMB'],
  taxonomy: ['GENUS', 'SPECIES', 'SPAUTHOR', 'SUBTAXA', 'SUBTAUTHOR', 'CROPNAME'],
  collecting: [
    'COLLNUMB', 'COLLCODE', 'COLLNAME', 'COLLINSTADDRESS', 'COLLMISSID', 'COLLDATE', 'COLLSRC', 'ORIGCTY', 'COLLSITE',
    'DECLATITUDE', 'LATITUDE', 'DECLONGITUDE', 'LONGITUDE', 'COORDUNCERT', 'COORDDATUM', 'GEOREFMETH', 'ELEVATION',
  ],
  breeding: ['BREDCODE', 'BREDNAME', 'SAMPSTAT', 'ANCEST', 'DONORCODE', 'DONORNAME', 'DONORNUMB'],
  holding: ['DUPLSITE', 'DUPLINSTNAME', 'STORAGE', 'MLSSTAT', 'REMARKS'],
};

/** Returns the group that a descriptor belongs to. */
export function groupOf(code: string): Group {
  return GROUPS.find((group) => group !== 'other' && MEMBERS[group].includes(code)) ?? 'other';
}

/** Returns the descriptors by group, in the order of the file, without groups that have none. */
export function grouped(descriptors: readonly Descriptor[]): { group: Group; descriptors: Descriptor[] }[] {
  return GROUPS.map((group) => ({ group, descriptors: descriptors.filter(({ code }) => groupOf(code) === group) })).filter(
    (one) => one.descriptors.length > 0,
  );
}

/** Every code that has a group. */
export const CODES: readonly string[] = Object.values(MEMBERS).flat();
