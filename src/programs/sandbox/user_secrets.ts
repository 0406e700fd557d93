import { userInfo } from "node:os";
import { isAbsolute, join } from "node:path";
import type { World } from "../../util/world.ts";

/** Where people keep keys, passwords and what they typed, and where we keep what no command may see. */
export function userSecrets(env: World["env"]): string[] {
  const homes = new Set([env["HOME"], userInfo().homedir].filter((home) => home !== undefined && isAbsolute(home)));
  const inHomes = [...homes].flatMap((home) => names.map((name) => join(home ?? "", name)));
  const moved = Object.entries(movable).flatMap(([variable, folder]) => {
    const to = env[variable] ?? "";
    const inside = names.filter((name) => name.startsWith(folder)).map((name) => name.slice(folder.length));
    return isAbsolute(to) ? inside.map((name) => join(to, name)) : [];
  });
  return [...inHomes, ...moved, "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];
}

const movable = {
  XDG_CONFIG_HOME: ".config/",
  XDG_DATA_HOME: ".local/share/",
  XDG_STATE_HOME: ".local/state/",
  XDG_CACHE_HOME: ".cache/",
};

const within = (folder: string, list: string) => words(list).map((name) => folder + name);
const words = (list: string) => list.trim().split(/\s+/);

const ofClouds = words(`
  .aws .azure .aliyun .oci .bluemix .docker .kube .fly .vercel .netlify .terraform.d .terraformrc .vault-token .s3cfg
  .boto .databrickscfg .snowflake .snowsql .kaggle .huggingface`);
const ofPackages = words(`
  .npmrc .yarnrc.yml .pypirc .pip/pip.conf .cargo/credentials .cargo/credentials.toml .gem/credentials .bundle/config
  .m2/settings.xml .m2/settings-security.xml .gradle/gradle.properties .sbt/.credentials .ivy2/.credentials
  .composer/auth.json`);
const ofModels = words(".claude .claude.json .codex .gemini .cursor");
const ofPeople = words(`
  .ssh .gnupg .netrc .git-credentials .password-store .pki .pgpass .my.cnf .mylogin.cnf .mozilla .thunderbird`);
const ofShells = words(`
  .bash_history .zsh_history .zhistory .histfile .sh_history .ksh_history .history .node_repl_history .python_history
  .ts_node_repl_history .irb_history .pry_history .php_history .Rhistory .psql_history .mysql_history .sqlite_history
  .rediscli_history .mongosh .dbshell .lesshst .viminfo`);

const names = [
  ...ofClouds,
  ...ofPackages,
  ...ofModels,
  ...ofPeople,
  ...ofShells,
  ...within(
    ".config/",
    `claude-exec anthropic openai github-copilot gcloud doctl hcloud stripe heroku netlify configstore rclone gh glab-cli
    hub git/credentials composer/auth.json pypoetry/auth.toml pip/pip.conf containers/auth.json op sops age keepassxc
    google-chrome chromium BraveSoftware microsoft-edge vivaldi opera Signal Slack discord`,
  ),
  ".config/Bitwarden CLI",
  ...within(
    ".local/share/",
    `claude-exec keyrings kwalletd fish/fish_history powershell/PSReadLine com.vercel.cli containers/auth.json nvim/shada
    mycli pgcli`,
  ),
  ...within(".local/state/", "claude-exec nvim/shada python_history"),
  ...within(".cache/", "huggingface/token claude-exec"),
];
