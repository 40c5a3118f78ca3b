// Saving what the page itself has made as a file. Not here: files of the gateway, which are plain links.

/** Hands a text to the browser as a file to keep. */
export function savedAs(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
