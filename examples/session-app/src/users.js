import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
const cost = Number(process.env.PASSWORD_COST ?? 2 ** 14); // scrypt's N; tests take a small one
const hashPassword = promisify((password, salt, done) => scrypt(password, salt, 32, { N: cost }, done));

export function createUsers() {
  const users = new Map();
  const nobody = { salt: randomBytes(16), hash: randomBytes(32) };

  return {
    /** False when the name is taken. */
    async register(name, password) {
      const salt = randomBytes(16);
      const hash = await hashPassword(password, salt);
      if (users.has(name)) return false;
      users.set(name, { salt, hash });
      return true;
    },
    /** An unknown name costs the same time as a wrong password, so that names cannot be probed. */
    async verify(name, password) {
      const user = users.get(name) ?? nobody;
      const hash = await hashPassword(password, user.salt);
      return timingSafeEqual(hash, user.hash) && user !== nobody;
    },
  };
}
