/** A keyboard or mouse as the controller's serial port sees it. */
export interface Ps2Port {
  /** Whether a byte waits. Answers to commands come at once, keys and motion with the wire's pace. */
  readonly waiting: 'none' | 'answer' | 'event';
  /** The next byte; only while one waits. */
  take(): number;
  write(value: number): void;
  /** The controller hears here that something new waits. */
  onWaiting: () => void;
}
