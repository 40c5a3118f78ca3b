// A place that the rail and the phone's bar lead to. Not here: which places there are.
import type { Severity } from '../api/types';
import type { IconName } from './icons';

export type Place = {
  href: string;
  icon: IconName;
  label: string;
  current: boolean;
  /** How many alarms wait behind it, and how bad the worst is. */
  waiting: number;
  severity: Severity | null;
};
