import java.nio.file.Paths;
import java.util.*;
import org.apache.lucene.analysis.*;
import org.apache.lucene.analysis.tokenattributes.*;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.BytesRef;

/** Writes an index whose postings have every shape: PostingsMake DIR SEED DOCS. */
public class PostingsMake {
  static final class Tok { String t; int inc, so, eo; byte[] pay; }

  static final class Canned extends TokenStream {
    final CharTermAttribute term = addAttribute(CharTermAttribute.class);
    final PositionIncrementAttribute inc = addAttribute(PositionIncrementAttribute.class);
    final OffsetAttribute off = addAttribute(OffsetAttribute.class);
    final PayloadAttribute pay = addAttribute(PayloadAttribute.class);
    Iterator<Tok> it;
    Canned(List<Tok> l) { it = l.iterator(); }
    @Override public boolean incrementToken() {
      if (!it.hasNext()) return false;
      clearAttributes();
      Tok k = it.next();
      term.append(k.t); inc.setPositionIncrement(k.inc); off.setOffset(k.so, k.eo);
      pay.setPayload(k.pay == null ? null : new BytesRef(k.pay));
      return true;
    }
  }

  static FieldType type(IndexOptions o, boolean omitNorms) {
    FieldType t = new FieldType();
    t.setIndexOptions(o); t.setOmitNorms(omitNorms); t.setTokenized(true); t.freeze();
    return t;
  }

  public static void main(String[] a) throws Exception {
    Random r = new Random(Long.parseLong(a[1]));
    int n = Integer.parseInt(a[2]);
    IndexOptions[] opts = {IndexOptions.DOCS, IndexOptions.DOCS_AND_FREQS, IndexOptions.DOCS_AND_FREQS_AND_POSITIONS, IndexOptions.DOCS_AND_FREQS_AND_POSITIONS_AND_OFFSETS};
    IndexWriterConfig c = new IndexWriterConfig(null).setUseCompoundFile(false).setRAMBufferSizeMB(400).setMergePolicy(NoMergePolicy.INSTANCE);
    int[] dfs = {1, 2, 127, 128, 129, 255, 256, 257, 4095, 4096, 4097, 8191, 8192, 8193, n};
    try (FSDirectory d = FSDirectory.open(Paths.get(a[0])); IndexWriter w = new IndexWriter(d, c)) {
      for (int i = 0; i < n; i++) {
        Document doc = new Document();
        doc.add(new StringField("id", Integer.toString(i * 7919 % 1000003), Field.Store.NO));
        doc.add(new StringField("long", "a-long-and-common-prefix/" + Integer.toHexString(i * 31) + "/and-a-tail-" + (i % 13), Field.Store.NO));
        doc.add(new StringField("mixed", (i % 3 == 0 ? "Ünicode Ωμέγα " : "PRE") + Long.toHexString(r.nextLong()).toUpperCase(Locale.ROOT), Field.Store.NO));
        for (int o = 0; o < 4; o++) {
          for (int p = 0; p < (o >= 2 ? 2 : 1); p++) {
            if (r.nextInt(20) == 0 && n > 100) continue; // the field is missing
            List<Tok> l = new ArrayList<>();
            int at = 0;
            List<String> bag = new ArrayList<>();
            for (int k = 0; k < dfs.length; k++)
              if (i < dfs[k] * (1 + k % 3) && i % (1 + k % 3) == 0) { int f = r.nextInt(50) == 0 ? 1 + r.nextInt(400) : 1 + r.nextInt(3); for (int z = 0; z < f; z++) bag.add("df" + dfs[k]); }
            for (int z = r.nextInt(6); z > 0; z--) bag.add("w" + (int) Math.abs(r.nextGaussian() * 300));
            Collections.shuffle(bag, r);
            for (String s : bag) {
              Tok k = new Tok();
              k.t = s; k.inc = r.nextInt(10) == 0 ? r.nextInt(1000) : 1; k.so = at + r.nextInt(3); k.eo = k.so + s.length(); at = k.so;
              if (l.isEmpty() && k.inc == 0) k.inc = 1;
              if (p == 1 && r.nextInt(3) > 0) { k.pay = new byte[r.nextInt(9)]; r.nextBytes(k.pay); }
              l.add(k);
            }
            doc.add(new Field("f" + o + (p == 1 ? "pay" : ""), new Canned(l), type(opts[o], o == 1 || p == 1)));
          }
        }
        w.addDocument(doc);
      }
      w.commit();
    }
  }
}
