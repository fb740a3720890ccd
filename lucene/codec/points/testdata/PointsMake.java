import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.*;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.store.FSDirectory;

/**
 * Writes an index in which the documents of the leaves of points are packed in 21 and in 24 bits, and prints for each
 * field a digest of its points as Lucene reads them: PointsMake DIR SEED.
 */
public class PointsMake {
  public static void main(String[] a) throws Exception {
    Random r = new Random(Long.parseLong(a[1]));
    IndexWriterConfig c = new IndexWriterConfig(null).setUseCompoundFile(false).setRAMBufferSizeMB(400).setMergePolicy(NoMergePolicy.INSTANCE);
    try (FSDirectory d = FSDirectory.open(Paths.get(a[0])); IndexWriter w = new IndexWriter(d, c)) {
      Document none = new Document();
      for (int i = 0; i < 2_250_000; i++) {
        if (i % 70 != 0) { w.addDocument(none); continue; }
        Document doc = new Document();
        doc.add(new IntPoint("wide", r.nextInt()));
        if (i < 1 << 21) doc.add(new LongPoint("medium", r.nextLong()));
        if (i < 1 << 18) doc.add(new IntPoint("two", r.nextInt(), r.nextInt(1000)));
        w.addDocument(doc);
      }
      w.commit();
      try (DirectoryReader reader = DirectoryReader.open(d)) {
        LeafReader leaf = reader.leaves().get(0).reader();
        for (String f : new String[] {"medium", "two", "wide"}) {
          MessageDigest md = MessageDigest.getInstance("SHA-256");
          long[] n = new long[1];
          leaf.getPointValues(f).intersect(new PointValues.IntersectVisitor() {
            public void visit(int doc) { throw new AssertionError(); }
            public void visit(int doc, byte[] v) {
              md.update(new byte[] {(byte) (doc >>> 24), (byte) (doc >>> 16), (byte) (doc >>> 8), (byte) doc});
              md.update(v);
              n[0]++;
            }
            public PointValues.Relation compare(byte[] lo, byte[] hi) { return PointValues.Relation.CELL_CROSSES_QUERY; }
          });
          StringBuilder h = new StringBuilder();
          for (byte b : md.digest()) h.append(String.format("%02x", b));
          System.out.println(f + " " + n[0] + " " + h);
        }
      }
    }
  }
}
