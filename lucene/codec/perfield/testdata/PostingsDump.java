import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.*;
import org.apache.lucene.index.*;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.BytesRef;

/**
 * For each DIR, segment and field, a line with a digest of all terms and postings as Lucene reads them:
 * PostingsDump [--text SEGMENT FIELD] DIR... With --text, what the digest is taken of.
 */
public class PostingsDump {
  public static void main(String[] a) throws Exception {
    int i = 0;
    String seg = null, field = null;
    if (a[0].equals("--text")) { seg = a[1]; field = a[2]; i = 3; }
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
    for (; i < a.length; i++) {
      try (FSDirectory d = FSDirectory.open(Paths.get(a[i])); DirectoryReader r = DirectoryReader.open(d)) {
        for (LeafReaderContext ctx : r.leaves()) {
          SegmentReader leaf = (SegmentReader) unwrap(ctx.reader());
          for (FieldInfo fi : leaf.getFieldInfos()) {
            if (fi.getIndexOptions() == IndexOptions.NONE) continue;
            Terms t = leaf.terms(fi.name);
            if (t == null) continue;
            if (seg != null) {
              if (seg.equals(leaf.getSegmentName()) && field.equals(fi.name)) dump(t, fi, out::println);
              continue;
            }
            MessageDigest md = MessageDigest.getInstance("SHA-256");
            long[] n = new long[1];
            dump(t, fi, s -> { md.update(s.getBytes(StandardCharsets.UTF_8)); md.update((byte) '\n'); n[0]++; });
            StringBuilder h = new StringBuilder();
            for (byte b : md.digest()) h.append(String.format("%02x", b));
            out.println(i + "\t" + leaf.getSegmentName() + "\t" + fi.name + "\t" + n[0] + "\t" + h);
          }
        }
      }
    }
  }

  static LeafReader unwrap(LeafReader l) {
    while (l instanceof FilterLeafReader) l = ((FilterLeafReader) l).getDelegate();
    return l;
  }

  /** Lucene 10.4 gives arrays where there were lists of pairs before. */
  static void impacts(Impacts im, int level, StringBuilder s) throws IOException {
    try {
      Object o = Impacts.class.getMethod("getImpacts", int.class).invoke(im, level);
      if (o instanceof List) {
        for (Object p : (List<?>) o)
          s.append(' ').append(p.getClass().getField("freq").getInt(p)).append(',').append(p.getClass().getField("norm").getLong(p));
        return;
      }
      int[] freqs = (int[]) o.getClass().getField("freqs").get(o);
      long[] norms = (long[]) o.getClass().getField("norms").get(o);
      for (int i = 0; i < o.getClass().getField("size").getInt(o); i++) s.append(' ').append(freqs[i]).append(',').append(norms[i]);
    } catch (ReflectiveOperationException e) {
      throw new IOException(e);
    }
  }

  interface Line { void put(String s); }

  static String hex(BytesRef b) {
    if (b == null) return "-";
    StringBuilder s = new StringBuilder();
    for (int i = 0; i < b.length; i++) s.append(Character.forDigit(b.bytes[b.offset + i] >> 4 & 15, 16)).append(Character.forDigit(b.bytes[b.offset + i] & 15, 16));
    return s.toString();
  }

  static void dump(Terms t, FieldInfo fi, Line out) throws IOException {
    out.put("F " + t.size() + " " + t.getSumTotalTermFreq() + " " + t.getSumDocFreq() + " " + t.getDocCount() + " " + hex(t.getMin()) + " " + hex(t.getMax()));
    TermsEnum te = t.iterator();
    PostingsEnum pe = null;
    for (BytesRef b; (b = te.next()) != null; ) {
      out.put("T " + hex(b) + " " + te.docFreq() + " " + te.totalTermFreq());
      pe = te.postings(pe, PostingsEnum.ALL);
      for (int d; (d = pe.nextDoc()) != DocIdSetIterator.NO_MORE_DOCS; ) {
        StringBuilder s = new StringBuilder().append(d).append(' ').append(pe.freq());
        if (t.hasPositions())
          for (int i = pe.freq(); i > 0; i--)
            s.append(' ').append(pe.nextPosition()).append(',').append(pe.startOffset()).append(',').append(pe.endOffset()).append(',').append(hex(pe.getPayload()));
        out.put(s.toString());
      }
      if (!t.hasFreqs() || te.docFreq() <= 128) continue;
      ImpactsEnum ie = te.impacts(PostingsEnum.FREQS);
      for (int target = 0; target != DocIdSetIterator.NO_MORE_DOCS; ) {
        ie.advanceShallow(target);
        Impacts im = ie.getImpacts();
        StringBuilder s = new StringBuilder("I");
        for (int l = 0; l < im.numLevels(); l++) {
          s.append(' ').append(im.getDocIdUpTo(l));
          impacts(im, l, s);
        }
        out.put(s.toString());
        int upTo = im.getDocIdUpTo(0);
        if (upTo == DocIdSetIterator.NO_MORE_DOCS) break;
        target = ie.advance(upTo + 1);
      }
    }
  }
}
