import { ANONYMOUS } from "../config/service-settings.ts";
import type { Job } from "../store/job.ts";
import type { Caller } from "./ports.ts";

/** Whether a job is there for a caller; nobody learns that there is one of somebody else's. */
export const isFor = ({ owner }: Caller, job: Pick<Job, "owner">): boolean => owner === null || job.owner === owner;

/** Whether a caller has a list of jobs. Who is nobody in particular would see what others made: they have to know the ids. */
export const hasList = ({ owner }: Caller): boolean => owner !== ANONYMOUS;
