// SPDX-License-Identifier: Apache-2.0
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Allocates flat out in three threads; what lives swings between nothing and 100 MB. */
public class Churn {
  static void allocate(int seed) {
    Random random = new Random(seed);
    List<byte[]> living = new ArrayList<>();
    while (true) {
      int most = random.nextInt(600);
      while (living.size() < most) living.add(new byte[1 + random.nextInt(100_000)]);
      for (int i = 0; i < 20_000; ++i) {
        byte[] dead = new byte[1 + random.nextInt(4_000)];
        dead[dead.length - 1] = 1;
      }
      while (living.size() > most) living.remove(living.size() - 1);
    }
  }

  public static void main(String[] arguments) throws Exception {
    for (int i = 0; i < 3; ++i) {
      int seed = i;
      Thread thread = new Thread(() -> allocate(seed));
      thread.setDaemon(true);
      thread.start();
    }
    while (true) {
      Thread.sleep(500);
      if (Math.random() < 0.1) System.gc();
      long collections = 0;
      for (GarbageCollectorMXBean bean : ManagementFactory.getGarbageCollectorMXBeans()) {
        collections += bean.getCollectionCount();
      }
      Files.writeString(Path.of("/data/done"), collections + "\n");
    }
  }
}
