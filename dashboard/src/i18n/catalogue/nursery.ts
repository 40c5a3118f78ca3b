// The words of batches, germplasm, studies, the first hour, trust and people.
// Not here: every other word.

export const nurseryZh = {
  'nav.batches': '批次',
  'nav.germplasm': '种质',
  'nav.export': '导出',
  'nav.more': '更多',
  'nav.less': '收起',
} as const;

export const nurseryEn: Record<keyof typeof nurseryZh, string> = {
  'nav.batches': 'Batches',
  'nav.germplasm': 'Germplasm',
  'nav.export': 'Export',
  'nav.more': 'More',
  'nav.less': 'Close',
};
