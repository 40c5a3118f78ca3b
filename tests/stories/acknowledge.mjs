// Signs in, waits until a new alarm shows, opens it, acknowledges it with a comment.
//
//   node acknowledge.mjs URL USER PASSWORD COMMENT PATIENCE_MS
//
// Prints {"seen_ms": …} last. Run in the dashboard's folder, whose Playwright it uses.
import { createRequire } from "node:module";
import path from "node:path";

const { chromium } = createRequire(path.join(process.cwd(), "package.json"))("@playwright/test");
const [url, user, password, comment, patience] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage({ locale: "en-GB", viewport: { width: 390, height: 844 } });
  page.setDefaultTimeout(15_000);
  const began = Date.now();
  await page.goto(url);
  await page.getByTestId("user").fill(user);
  await page.getByTestId("password").fill(password);
  await page.getByTestId("sign-in").click();
  // The first password is changed at the first sign-in.
  const change = page.getByTestId("new-password");
  const alarm = page.getByTestId("alarm-link").first();
  await change.or(alarm).or(page.getByTestId("overview")).first().waitFor();
  if (await change.isVisible()) {
    await page.getByTestId("old-password").fill(password);
    await change.fill(`${password}-changed`);
    await page.getByTestId("new-password-again").fill(`${password}-changed`);
    await page.getByTestId("change-password").click();
  }
  await alarm.waitFor({ timeout: Number(patience) });
  const seen_ms = Date.now() - began;
  await alarm.click();
  await page.getByTestId("comment").fill(comment);
  await page.getByTestId("acknowledge").click();
  await page.getByTestId("acknowledged-by").waitFor();
  console.log(JSON.stringify({ seen_ms }));
} finally {
  await browser.close();
}
